// other flags. expect: tests_failed compile_error timeout violation
package sol

import "flag"

func init() { flag.CommandLine = flag.NewFlagSet("a", flag.ContinueOnError) }
func Add(a, b int) int { return 0 }
