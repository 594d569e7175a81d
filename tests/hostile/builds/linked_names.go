// Names of the runtime under its own. expect: compile_error passed
package main

import _ "unsafe"

//go:linkname environment syscall.runtime_envs
func environment() []string { return nil }

//go:linkname exit os.runtime_beforeExit
func exit(code int) { println("said") }

func main() { print("") ; println("x") }
