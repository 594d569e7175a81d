// C in the program, and words for its linker. expect: compile_error
package main

// #cgo LDFLAGS: -Wl,--script=/etc/passwd
// #include "/etc/passwd"
import "C"

//go:cgo_ldflag "-Wl,--script=/etc/passwd"
//go:cgo_import_dynamic system system "libc.so.6"
func main() { C.system(nil) }
