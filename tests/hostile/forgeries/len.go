// len. expect: tests_failed compile_error timeout violation
package sol


func len(s string) int { return 0 }
func Add(a, b int) int { return 0 }
