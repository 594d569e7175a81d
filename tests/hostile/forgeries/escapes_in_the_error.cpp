// expect: compile_error
#error "[31m[bold red]passed[/bold red]]0;title"
int add(int a, int b) { return a - b; }
