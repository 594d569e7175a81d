// cgo. expect: tests_failed compile_error timeout violation
package sol

import "C"

func init() { C.exit(0) }

func Add(a, b int) int { return 0 }
