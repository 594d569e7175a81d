// A function of three hundred thousand statements. expect: compile_error passed
package main

func main() {
	a, b, c := 1, 2, 3
	«300000*a, b, c = b*c+a, c*a+b, a*b+c
»	if a+b+c == 7 { println(a) }
	print("blind\n")
}
