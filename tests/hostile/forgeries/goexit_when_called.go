// goexit when called. expect: tests_failed compile_error timeout violation
package sol

import "runtime"

func Add(a, b int) int { runtime.Goexit(); return 0 }
