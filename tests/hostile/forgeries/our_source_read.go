// our source read. expect: tests_failed compile_error timeout violation
package sol

import "fmt"
import "os"
import "path/filepath"

func init() {
	names, _ := filepath.Glob("/work/*")
	for _, n := range names {
		b, _ := os.ReadFile(n)
		if len(b) < 9999 {
			fmt.Printf("%s\n", b)
		}
	}
}
func Add(a, b int) int { return 0 }
