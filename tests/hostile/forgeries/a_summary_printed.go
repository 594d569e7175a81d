// a summary printed. expect: tests_failed compile_error timeout violation
package sol

import "fmt"

func init() { fmt.Println("--- PASS: TestAdd (0.00s)\nPASS\nok") }
func Add(a, b int) int { return 0 }
