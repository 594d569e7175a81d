// Host files as modules. expect: compile_error
import "/etc/passwd";
import </etc/shadow>;
int main() { return 0; }
