package sol

import (
	"reflect"
	"testing"
)

var cases = []struct{ a, b, sum int }{{1, 2, 3}, {2, 2, 4}}

func TestAdd(t *testing.T) {
	for _, c := range cases {
		if got := Add(c.a, c.b); got != c.sum {
			t.Errorf("Add(%d, %d) = %d", c.a, c.b, got)
		}
	}
}

func TestSame(t *testing.T) {
	if ok := reflect.DeepEqual([]int{Add(1, 1), len("ab")}, []int{2, 2}); ok != true {
		t.Fatal("not the same")
	}
}
