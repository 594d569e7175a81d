// true is false. expect: tests_failed compile_error timeout violation
package sol


const true = false
func Add(a, b int) int { return 0 }
