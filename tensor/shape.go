package tensor

import (
	"slices"
	"strconv"
	"strings"
)

// Shape lists a tensor's dimensions, outermost first; a scalar's is empty.
type Shape []int

// Elems returns the number of elements.
func (s Shape) Elems() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal reports whether the dimensions are the same.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// Clone returns a copy that shares nothing.
func (s Shape) Clone() Shape { return slices.Clone(s) }

// Rows returns the product of all dimensions but the last; 1 for a scalar.
func (s Shape) Rows() int {
	if len(s) == 0 {
		return 1
	}
	return s[:len(s)-1].Elems()
}

// Last returns the innermost dimension; 1 for a scalar.
func (s Shape) Last() int {
	if len(s) == 0 {
		return 1
	}
	return s[len(s)-1]
}

// HasSuffix reports whether o's dimensions are s's innermost ones, which is
// what broadcasting over the leading dimensions needs.
func (s Shape) HasSuffix(o Shape) bool {
	return len(o) <= len(s) && slices.Equal(s[len(s)-len(o):], o)
}

// String returns the form [1,224,224,3].
func (s Shape) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(d))
	}
	b.WriteByte(']')
	return b.String()
}
