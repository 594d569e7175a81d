// Error messages without end. expect: compile_error
class Program { static void Main() { «200000*undeclared_name_of_some_length(); »} }
