// the input read first. expect: tests_failed compile_error timeout violation
package sol

import "io"
import "os"

func init() { io.ReadAll(os.Stdin) }
func Add(a, b int) int { return 0 }
