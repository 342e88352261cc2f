package weights

// DType is the element type a tensor is stored in.
type DType uint8

// The element types of safetensors that fill whole bytes. F32 is the zero value.
const (
	F32 DType = iota
	F16
	BF16
	F64
	I8
	I16
	I32
	I64
	U8
	U16
	U32
	U64
	Bool
	F8E4M3
	F8E5M2
	F8E8M0
	C64
)

// dtypes holds the safetensors spelling and the bytes per element.
// Source: safetensors/src/tensor.rs, enum Dtype.
var dtypes = [...]struct {
	name string
	size int
}{
	F32: {"F32", 4}, F16: {"F16", 2}, BF16: {"BF16", 2}, F64: {"F64", 8},
	I8: {"I8", 1}, I16: {"I16", 2}, I32: {"I32", 4}, I64: {"I64", 8},
	U8: {"U8", 1}, U16: {"U16", 2}, U32: {"U32", 4}, U64: {"U64", 8},
	Bool: {"BOOL", 1}, F8E4M3: {"F8_E4M3", 1}, F8E5M2: {"F8_E5M2", 1}, F8E8M0: {"F8_E8M0", 1},
	C64: {"C64", 8},
}

// Size returns the bytes per element, 0 for an undefined DType.
func (d DType) Size() int {
	if int(d) >= len(dtypes) {
		return 0
	}
	return dtypes[d].size
}

// String returns the safetensors spelling, for example "BF16" or "F8_E4M3".
func (d DType) String() string {
	if int(d) >= len(dtypes) {
		return "unknown"
	}
	return dtypes[d].name
}

// Float reports whether d is F16, BF16, F32 or F64, the types Convert accepts.
func (d DType) Float() bool { return d == F32 || d == F16 || d == BF16 || d == F64 }

// ParseDType returns the DType with the given safetensors spelling.
func ParseDType(s string) (DType, bool) {
	for i, d := range dtypes {
		if d.name == s {
			return DType(i), true
		}
	}
	return 0, false
}
