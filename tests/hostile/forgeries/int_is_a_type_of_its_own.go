// int is a type of its own. expect: tests_failed compile_error timeout violation
package sol


type int struct{ any }

func (int) String() string { return "" }
func Add(a, b int) int { return 0 }
