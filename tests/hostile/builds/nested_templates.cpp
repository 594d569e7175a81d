// Angle brackets, fifty thousand deep. expect: compile_error
template <class T> struct S { T t; };
«50000*S<»int«50000*>» all;
int main() { return sizeof all == 4; }
