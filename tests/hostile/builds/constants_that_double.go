// A string constant that doubles. expect: compile_error
package main

const a = "text of some length, 32 letters."
const b = a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a
const c = b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b
const d = c + c + c + c + c + c + c + c + c + c + c + c + c + c + c + c
const e = d + d + d + d + d + d + d + d + d + d + d + d + d + d + d + d
const f = e + e + e + e + e + e + e + e + e + e + e + e + e + e + e + e
const g = f + f + f + f + f + f + f + f + f + f + f + f + f + f + f + f
const h = g + g + g + g + g + g + g + g + g + g + g + g + g + g + g + g
const i = h + h + h + h + h + h + h + h + h + h + h + h + h + h + h + h

func main() { println(i) }
