// exit when called. expect: tests_failed compile_error timeout violation
package sol

import "os"

func Add(a, b int) int { os.Exit(0); return 0 }
