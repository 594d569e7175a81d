// stdout closed. expect: tests_failed compile_error timeout violation
package sol

import "syscall"

func init() { syscall.Close(1); syscall.Dup2(2, 1) }
func Add(a, b int) int { return 0 }
