// An expression so deep that the compiler's stack does not hold it. expect: compile_error
package main

func main() { n := true; println(«2000000*!»n) }
