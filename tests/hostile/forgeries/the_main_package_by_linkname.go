// the main package by linkname. expect: tests_failed compile_error timeout violation
package sol

import "unsafe"

var _ unsafe.Pointer

//go:linkname theirs main.answer
func theirs(int)

func init() { theirs(2) }
func Add(a, b int) int { return 0 }
