package weights

import (
	"errors"
	"fmt"
	"strings"
)

// storage is one block of elements; data is bound when its bytes are found.
type storage struct {
	dtype DType
	key   string
	elems int64
	data  []byte
}

// tensorRef is a tensor as pickled: a strided window of a storage.
type tensorRef struct {
	st            *storage
	dtype         DType
	offset        int64
	shape, stride []int64
}

// storageType is a torch storage class, by its element type.
type storageType DType

// torchFunc is what REDUCE may call: a constructor written here.
type torchFunc func(args pyTuple) (any, error)

// torchGlobals is everything a checkpoint may name; any other global is refused.
// Source: torch/_weights_only_unpickler.py, narrowed to tensors.
var torchGlobals = map[string]any{
	"collections.OrderedDict":         torchFunc(orderedDict),
	"builtins.set":                    torchFunc(firstArg),
	"builtins.frozenset":              torchFunc(firstArg),
	"__builtin__.set":                 torchFunc(firstArg),
	"__builtin__.frozenset":           torchFunc(firstArg),
	"torch.Size":                      torchFunc(firstArg),
	"torch._utils._rebuild_parameter": torchFunc(firstArg),
	"torch._utils._rebuild_tensor_v2": torchFunc(func(a pyTuple) (any, error) { return rebuildTensor(a, 6) }),
	"torch._utils._rebuild_tensor_v3": torchFunc(func(a pyTuple) (any, error) { return rebuildTensor(a, 7) }),

	"torch.FloatStorage": storageType(F32), "torch.HalfStorage": storageType(F16),
	"torch.BFloat16Storage": storageType(BF16), "torch.DoubleStorage": storageType(F64),
	"torch.CharStorage": storageType(I8), "torch.ShortStorage": storageType(I16),
	"torch.IntStorage": storageType(I32), "torch.LongStorage": storageType(I64),
	"torch.ByteStorage": storageType(U8), "torch.BoolStorage": storageType(Bool),
	"torch.ComplexFloatStorage": storageType(C64), "torch.storage.UntypedStorage": storageType(U8),

	"torch.float32": F32, "torch.float16": F16, "torch.bfloat16": BF16, "torch.float64": F64,
	"torch.int8": I8, "torch.int16": I16, "torch.int32": I32, "torch.int64": I64,
	"torch.uint8": U8, "torch.uint16": U16, "torch.uint32": U32, "torch.uint64": U64, "torch.bool": Bool,
	"torch.complex64": C64, "torch.float8_e4m3fn": F8E4M3, "torch.float8_e5m2": F8E5M2, "torch.float8_e8m0fnu": F8E8M0,
}

// scriptGlobals are the list builders of TorchScript's own pickler.
// Source: torch/jit/_pickle.py.
var scriptGlobals = map[string]torchFunc{
	"torch.jit._pickle.build_intlist":    firstArg,
	"torch.jit._pickle.build_doublelist": firstArg,
	"torch.jit._pickle.build_boollist":   firstArg,
	"torch.jit._pickle.build_tensorlist": firstArg,
	"torch.jit._pickle.restore_type_tag": firstArg,
}

func (u *unpickler) global(module, name string) {
	full := module + "." + name
	if v, ok := torchGlobals[full]; ok {
		u.push(v)
		return
	}
	if u.script {
		if f, ok := scriptGlobals[full]; ok {
			u.push(f)
			return
		}
		if strings.HasPrefix(full, "__torch__.") {
			u.push(pyClass(full))
			return
		}
	}
	if len(full) > MaxName {
		full = full[:MaxName] + "…"
	}
	u.fail("refers to %q, which no tensor needs; refused, nothing was run (convert the file to safetensors where it was made)", full)
}

func (u *unpickler) call(callee any, args pyTuple) {
	switch f := callee.(type) {
	case torchFunc:
		v, err := f(args)
		if err != nil {
			u.fail("%w", err)
		}
		u.push(v)
	case pyClass:
		u.push(&pyObject{class: string(f)})
	default:
		u.fail("call of something that cannot be called; refused")
	}
}

// firstArg stands for calls whose result is their first argument here: sizes,
// sets, typed lists and parameters.
func firstArg(args pyTuple) (any, error) {
	if len(args) == 0 {
		return &pyList{}, nil
	}
	return args[0], nil
}

// orderedDict builds a dictionary, in Python 2's pickles from a list of pairs.
func orderedDict(args pyTuple) (any, error) {
	d := &pyDict{}
	if len(args) == 0 {
		return d, nil
	}
	l, ok := args[0].(*pyList)
	if !ok {
		return nil, errors.New("OrderedDict of something that is not a list")
	}
	for _, item := range l.items {
		pair, ok := item.(pyTuple)
		if p, isList := item.(*pyList); isList {
			pair, ok = p.items, true
		}
		if !ok || len(pair) != 2 {
			return nil, errors.New("OrderedDict of something that is not a pair")
		}
		d.keys = append(d.keys, pair[0])
		d.vals = append(d.vals, pair[1])
	}
	return d, nil
}

// rebuildTensor takes (storage, offset, size, stride, requires_grad, hooks) and,
// in version 3, the dtype of an untyped storage.
func rebuildTensor(args pyTuple, least int) (any, error) {
	if len(args) < least {
		return nil, fmt.Errorf("tensor of %d arguments", len(args))
	}
	st, ok := args[0].(*storage)
	if !ok {
		return nil, errors.New("tensor without a storage")
	}
	t := &tensorRef{st: st, dtype: st.dtype}
	if least == 7 {
		if t.dtype, ok = args[6].(DType); !ok {
			return nil, errors.New("tensor without a dtype")
		}
	}
	var err error
	if t.offset, err = nonNegative(args[1]); err != nil {
		return nil, err
	}
	if t.shape, err = dims(args[2]); err != nil {
		return nil, err
	}
	if t.stride, err = dims(args[3]); err != nil {
		return nil, err
	}
	if len(t.shape) != len(t.stride) {
		return nil, fmt.Errorf("tensor of %d sizes and %d strides", len(t.shape), len(t.stride))
	}
	return t, nil
}

// nonNegative returns a size, a stride or an offset.
func nonNegative(v any) (int64, error) {
	n, ok := v.(int64)
	if !ok {
		if b, big := v.(pyBigInt); big {
			return 0, fmt.Errorf("size %s is out of range", string(b))
		}
		return 0, errors.New("a size is not an integer")
	}
	if n < 0 {
		return 0, fmt.Errorf("size %d is negative", n)
	}
	return n, nil
}

func dims(v any) ([]int64, error) {
	items, ok := v.(pyTuple)
	if l, isList := v.(*pyList); isList {
		items, ok = l.items, true
	}
	if !ok || len(items) > MaxRank {
		return nil, errors.New("a shape is not a short tuple")
	}
	out := make([]int64, len(items))
	for i, item := range items {
		var err error
		if out[i], err = nonNegative(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}
