// another program. expect: tests_failed compile_error timeout violation
package sol

import "syscall"

func init() { syscall.Exec("/bin/true", []string{"true"}, nil) }
func Add(a, b int) int { return 0 }
