// exit in init. expect: tests_failed compile_error timeout violation
package sol

import "os"

func init() { os.Exit(0) }
func Add(a, b int) int { return 0 }
