// An empty array that no memory holds. expect: compile_error runtime_error
package main

var large [1 << 42]byte

func main() { for at := range large { large[at] = 1 } }
