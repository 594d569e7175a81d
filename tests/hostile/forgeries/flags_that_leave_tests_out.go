// flags that leave tests out. expect: tests_failed compile_error timeout violation
package sol

import "flag"
import "testing"

func init() { testing.Init(); flag.Set("test.run", "^$"); flag.Set("test.list", ".*") }
func Add(a, b int) int { return 0 }
