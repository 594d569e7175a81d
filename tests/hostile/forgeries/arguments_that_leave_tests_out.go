// arguments that leave tests out. expect: tests_failed compile_error timeout violation
package sol

import "os"
import "flag"
import "testing"

func init() { os.Args = []string{"a", "-test.run=^$"}; testing.Init(); flag.Parse() }
func Add(a, b int) int { return 0 }
