// Functions of which every one is made for twice as many types. expect: compile_error
package main

type A[T any] struct{ x T }
type B[T any] struct{ x, y *T }

func f00[T any]() int { return f01[A[T]]() + f01[B[T]]() }
func f01[T any]() int { return f02[A[T]]() + f02[B[T]]() }
func f02[T any]() int { return f03[A[T]]() + f03[B[T]]() }
func f03[T any]() int { return f04[A[T]]() + f04[B[T]]() }
func f04[T any]() int { return f05[A[T]]() + f05[B[T]]() }
func f05[T any]() int { return f06[A[T]]() + f06[B[T]]() }
func f06[T any]() int { return f07[A[T]]() + f07[B[T]]() }
func f07[T any]() int { return f08[A[T]]() + f08[B[T]]() }
func f08[T any]() int { return f09[A[T]]() + f09[B[T]]() }
func f09[T any]() int { return f10[A[T]]() + f10[B[T]]() }
func f10[T any]() int { return f11[A[T]]() + f11[B[T]]() }
func f11[T any]() int { return f12[A[T]]() + f12[B[T]]() }
func f12[T any]() int { return f13[A[T]]() + f13[B[T]]() }
func f13[T any]() int { return f14[A[T]]() + f14[B[T]]() }
func f14[T any]() int { return f15[A[T]]() + f15[B[T]]() }
func f15[T any]() int { return f16[A[T]]() + f16[B[T]]() }
func f16[T any]() int { return f17[A[T]]() + f17[B[T]]() }
func f17[T any]() int { return f18[A[T]]() + f18[B[T]]() }
func f18[T any]() int { var t *T; _ = t; return 1 }

func main() { println(f00[int]()) }
