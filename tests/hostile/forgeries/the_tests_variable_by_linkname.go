// the tests' variable by linkname. expect: tests_failed compile_error timeout violation
package sol

import "unsafe"

var _ unsafe.Pointer

//go:linkname mine answer.cases
var mine []struct{ a, b, sum int }

func init() { mine = nil }
func Add(a, b int) int { return 0 }
