// Words for the linker, which only the standard library may say. expect: compile_error
package main

//go:cgo_import_dynamic _ _ "/etc/passwd"
//go:cgo_import_static stolen
//go:cgo_dynamic_linker "/work/evil"
func main() { println("blind") }
