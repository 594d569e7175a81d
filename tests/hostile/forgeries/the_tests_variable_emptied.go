// the tests' variable emptied. expect: tests_failed compile_error timeout violation
package sol


func init() { cases = nil }
func Add(a, b int) int { return 0 }
