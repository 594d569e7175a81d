// an assembler's function. expect: tests_failed compile_error timeout violation
package sol


func lacks()

func init() { lacks() }
func Add(a, b int) int { return 0 }
