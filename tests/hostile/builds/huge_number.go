// Numbers with more digits than memory holds. expect: compile_error
package main

const a = 1 << 1000000000
const b = 1e1000000000 * 1e1000000000 / 3
const c = 0x1p2147483647 + 1

func main() { println(a%7, b > 1, c > 1) }
