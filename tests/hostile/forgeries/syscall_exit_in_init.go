// syscall exit in init. expect: tests_failed compile_error timeout violation
package sol

import "syscall"

func init() { syscall.Exit(0) }
func Add(a, b int) int { return 0 }
