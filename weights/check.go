package weights

import (
	"fmt"
	"slices"
	"strings"
)

// CheckError lists everything wrong between a checkpoint and the model that
// wants it, so that one run shows it all.
type CheckError struct {
	Path       string
	Missing    []string // wanted names the file lacks
	Unexpected []string // names the model does not know
	Misshaped  []string // "name: is [..], want [..]", with a hint where one helps
	Hint       string   // what the file looks like instead; may be empty
}

// Error lists every name, one a line, after the hint.
func (e *CheckError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: the weights do not fit the model: %d missing, %d unexpected, %d of another shape",
		e.Path, len(e.Missing), len(e.Unexpected), len(e.Misshaped))
	if e.Hint != "" {
		b.WriteString("\n  hint: " + e.Hint)
	}
	for _, part := range []struct {
		what  string
		names []string
	}{{"missing", e.Missing}, {"unexpected", e.Unexpected}, {"shape", e.Misshaped}} {
		for _, n := range part.names {
			fmt.Fprintf(&b, "\n  %s: %s", part.what, n)
		}
	}
	return b.String()
}

// Check compares src with the tensors a model wants (Name and Shape) and
// returns one *CheckError that lists every missing, unexpected and mis-shaped
// name, or nil. Ignorable names are never unexpected.
func Check(src Source, want []Info) error {
	e := &CheckError{Path: pathOf(src)}
	wanted := make(map[string]bool, len(want))
	for _, w := range want {
		wanted[w.Name] = true
		if _, found := slices.BinarySearch(src.Names(), w.Name); !found {
			e.Missing = append(e.Missing, w.Name)
			continue
		}
		is, err := Describe(src, w.Name)
		if err != nil {
			return err
		}
		if !slices.Equal(is.Shape, w.Shape) {
			e.Misshaped = append(e.Misshaped, fmt.Sprintf("%s: is %v, want %v%s", w.Name, is.Shape, w.Shape, shapeHint(is.Shape, w.Shape)))
		}
	}
	for _, n := range src.Names() {
		if !wanted[n] && !Ignorable(n) {
			e.Unexpected = append(e.Unexpected, n)
		}
	}
	if len(e.Missing)+len(e.Unexpected)+len(e.Misshaped) == 0 {
		return nil
	}
	if len(e.Missing)+len(e.Unexpected) > 0 {
		if family, m := Detect(src); family != "" {
			e.Hint = fmt.Sprintf("this looks like %s (%s names)", family, m.naming())
		}
	}
	return e
}

// Describe returns a tensor's name, dtype and shape as Get would, but computes
// nothing: Data may be nil.
func Describe(src Source, name string) (Info, error) {
	switch s := src.(type) {
	case *synthetic:
		return s.describe(name)
	case *renamed:
		return s.read(name, func(n string) (Info, error) { return Describe(s.src, n) })
	}
	return src.Get(name)
}

// shapeHint names the usual reasons for a tensor of the right size and the wrong
// shape.
func shapeHint(is, want []int) string {
	if len(is) != len(want) {
		if slices.Equal(trimOnes(is), trimOnes(want)) {
			return " (a 1×1 convolution against a linear layer)"
		}
		return ""
	}
	switch len(is) {
	case 2:
		if is[0] == want[1] && is[1] == want[0] {
			return " (transposed: GPT-2's Conv1D stores [in, out], Linear stores [out, in])"
		}
	case 4:
		switch {
		case is[0] == want[1] && is[1] == want[0] && is[2] == want[2] && is[3] == want[3]:
			return " (transposed: a ConvTranspose stores [in, out, kh, kw])"
		case is[0] == want[2] && is[1] == want[3] && is[2] == want[1] && is[3] == want[0]:
			return " (TensorFlow or Flax layout [kh, kw, in, out])"
		case is[0] == want[0] && is[1] == want[2] && is[2] == want[3] && is[3] == want[1]:
			return " (channels-last layout [out, kh, kw, in])"
		}
	}
	return ""
}

// trimOnes drops trailing dimensions of 1.
func trimOnes(shape []int) []int {
	for len(shape) > 0 && shape[len(shape)-1] == 1 {
		shape = shape[:len(shape)-1]
	}
	return shape
}

// Finite returns the names of the floating-point tensors that hold a NaN or an
// infinity. Whether that is a warning or an error is the caller's choice.
func Finite(src Source) ([]string, error) {
	var bad []string
	err := Guard(func() error {
		for _, name := range src.Names() {
			t, err := src.Get(name)
			if err != nil {
				return err
			}
			if !allFinite(t) {
				bad = append(bad, name)
			}
		}
		return nil
	})
	return bad, err
}

// exponents repeats the exponent bits of an element over 8 bytes, and the lowest
// of them: a NaN or an infinity has all of them set, so that adding the lowest
// carries into the sign bit, and nothing else does.
var exponents = map[DType]struct{ all, lowest, carry uint64 }{
	F16:  {0x7c00_7c00_7c00_7c00, 0x0400_0400_0400_0400, 0x8000_8000_8000_8000},
	BF16: {0x7f80_7f80_7f80_7f80, 0x0080_0080_0080_0080, 0x8000_8000_8000_8000},
	F32:  {0x7f800000_7f800000, 0x00800000_00800000, 0x80000000_80000000},
	F64:  {0x7ff0000000000000, 0x0010000000000000, 0x8000000000000000},
}

func allFinite(t Info) bool {
	e, ok := exponents[t.DType]
	if !ok {
		return true
	}
	var carries uint64
	b := t.Data
	for ; len(b) >= 8; b = b[8:] {
		carries |= le.Uint64(b)&e.all + e.lowest
	}
	var tail [8]byte
	copy(tail[:], b)
	carries |= le.Uint64(tail[:])&e.all + e.lowest
	return carries&e.carry == 0
}
