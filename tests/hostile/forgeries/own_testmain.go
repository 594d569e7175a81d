// own TestMain. expect: tests_failed compile_error timeout violation
package sol

import "os"
import "testing"

func TestMain(m *testing.M) { os.Exit(0) }
func Add(a, b int) int { return 0 }
