// A function that is made for ever larger types. expect: compile_error
package main

type P[T any] struct{ a, b T }

func f[T any](n int) int {
	if n == 0 {
		return 1
	}
	return f[P[T]](n-1) + f[[2]T](n-1)
}

func main() { println(f[int](3)) }
