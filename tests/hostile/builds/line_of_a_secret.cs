// Says that its errors are in a host file. expect: compile_error
#line 1 "/etc/passwd"
#pragma checksum "/etc/passwd" "{406EA660-64CF-4C82-B6F0-42D48172A799}" "00"
class Program { static void Main() { undeclared(); } }
