// Arrays of gigabytes that are not empty. expect: compile_error
package main

var large = [1 << 33]byte{1<<33 - 1: 1}
var larger = [...]int{1 << 40: 1}

func main() { println(large[5], larger[5]) }
