// Says that its error is in a host file. expect: compile_error
package main

//line /etc/passwd:1
func main() { undeclared() }

/*line /etc/shadow:2147483646:1*/ func f() { undeclared() }
