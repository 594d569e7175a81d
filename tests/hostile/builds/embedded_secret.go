// Host files in the program. expect: compile_error
package main

import _ "embed"

//go:embed /etc/passwd
var stolen string

//go:embed ../../etc/shadow
var more []byte

func main() { println(stolen, more) }
