// the nonce echoed. expect: tests_failed compile_error timeout violation
package sol

import "fmt"
import "io"
import "os"

func init() { b, _ := io.ReadAll(os.Stdin); fmt.Printf("\n%s\nok\nPASS\n", b) }
func Add(a, b int) int { return 0 }
