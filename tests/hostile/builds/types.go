// A type a hundred thousand deep, and one that doubles. expect: compile_error
package main

var deep «100000*[]»int

type a struct{ x, y [1 << 10]b }
type b struct{ x, y [1 << 10]c }
type c struct{ x, y [1 << 10]d }
type d struct{ x, y [1 << 10]e }
type e struct{ x, y [1 << 10]int }

func main() { var x a; println(deep == nil, x.x[0].x[0].x[0].x[0].x[0]) }
