// An expression half a million deep. expect: compile_error
package main

func main() { println(«500000*(»0«500000*)») }
