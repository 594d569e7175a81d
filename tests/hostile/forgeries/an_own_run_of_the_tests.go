// an own run of the tests. expect: tests_failed compile_error timeout violation
package sol

import "testing"

func init() { testing.Main(func(a, b string) (bool, error) { return true, nil }, nil, nil, nil) }
func Add(a, b int) int { return 0 }
