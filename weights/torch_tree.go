package weights

import (
	"fmt"
	"strconv"
)

// Limits on walking the pickled object: shared references make a small pickle a
// large tree, and may even close a circle.
const (
	maxDepth  = 64
	maxVisits = 1 << 20
)

// wrappers are the keys under which training scripts keep the weights.
var wrappers = []string{"state_dict", "model_state_dict", "model"}

// collect names the tensors of a pickled object by their path.
func collect(root any, m *mapping) (map[string]Info, error) {
	c := collector{infos: map[string]Info{}, m: m, copies: len(m.data)}
	err := c.walk("", unwrap(root), 0)
	return c.infos, err
}

// unwrap steps into a wrapper unless the object holds tensors itself.
func unwrap(root any) any {
	d, ok := root.(*pyDict)
	if !ok {
		return root
	}
	for _, v := range d.vals {
		if _, ok := v.(*tensorRef); ok {
			return root
		}
	}
	for _, key := range wrappers {
		if v, ok := d.get(key).(*pyDict); ok {
			return v
		}
	}
	return root
}

type collector struct {
	infos  map[string]Info
	m      *mapping
	copies int // bytes that copies of non-contiguous tensors may still take
	visits int
}

func (c *collector) walk(name string, v any, depth int) error {
	if c.visits++; depth > maxDepth || c.visits > maxVisits {
		return fmt.Errorf("the pickled object is nested too deeply or too large (at %q)", name)
	}
	switch v := v.(type) {
	case *tensorRef:
		return c.add(name, v)
	case *pyObject:
		return c.walk(name, v.state, depth+1)
	case *pyDict:
		for i, k := range v.keys {
			if err := c.child(name, keyText(k), v.vals[i], depth); err != nil {
				return err
			}
		}
	case *pyList:
		return c.items(name, v.items, depth)
	case pyTuple:
		return c.items(name, v, depth)
	}
	return nil
}

func (c *collector) items(name string, items []any, depth int) error {
	for i, v := range items {
		if err := c.child(name, strconv.Itoa(i), v, depth); err != nil {
			return err
		}
	}
	return nil
}

// child walks a member that may hold tensors; plain values are passed over.
func (c *collector) child(name, key string, v any, depth int) error {
	switch v.(type) {
	case *tensorRef, *pyObject, *pyDict, *pyList, pyTuple:
	default:
		c.visits++
		return nil
	}
	if len(name)+1+len(key) > MaxName {
		return fmt.Errorf("a name below %.80q exceeds %d bytes", name, MaxName)
	}
	if name != "" {
		key = name + "." + key
	}
	return c.walk(key, v, depth+1)
}

func keyText(k any) string {
	switch k := k.(type) {
	case string:
		return k
	case int64:
		return strconv.FormatInt(k, 10)
	}
	return "?"
}

// add resolves a tensor to its bytes: a view where it is contiguous.
func (c *collector) add(name string, t *tensorRef) error {
	if name == "" {
		name = "tensor" // a bare tensor was saved
	}
	if _, dup := c.infos[name]; dup {
		return fmt.Errorf("tensor %q is listed twice", name)
	}
	if len(c.infos) == MaxTensors {
		return fmt.Errorf("more than %d tensors", MaxTensors)
	}
	e := t.dtype.Size()
	info := Info{Name: name, DType: t.dtype, Shape: make([]int, len(t.shape)), m: c.m}
	for i, d := range t.shape {
		info.Shape[i] = int(d)
		if int64(info.Shape[i]) != d {
			return fmt.Errorf("tensor %q: dimension %d is too large", name, d)
		}
	}
	size, ok := byteSize(info.Shape, e)
	elems := int64(len(t.st.data) / e)
	if !ok || int64(size/e) > elems {
		return fmt.Errorf("tensor %q of shape %v is larger than its storage of %d elements (an expanded tensor has to be saved as a copy)", name, info.Shape, elems)
	}
	if size == 0 {
		c.infos[name] = info
		return nil
	}
	last, contiguous := t.span(elems)
	if last < 0 || last >= elems {
		return fmt.Errorf("tensor %q reaches outside its storage of %d elements", name, elems)
	}
	if contiguous {
		begin := int(t.offset) * e
		info.Data = t.st.data[begin : begin+size : begin+size]
	} else {
		if c.copies -= size; c.copies < 0 {
			return fmt.Errorf("tensor %q: the non-contiguous tensors are larger than the file", name)
		}
		info.Data, info.m = t.gather(size), nil
	}
	c.infos[name] = info
	return nil
}

// span returns the last element t touches, -1 if that is limit or beyond, and
// whether its elements follow each other in row-major order.
func (t *tensorRef) span(limit int64) (last int64, contiguous bool) {
	last, contiguous = t.offset, true
	step := int64(1)
	for i := len(t.shape) - 1; i >= 0; i-- {
		n, stride := t.shape[i]-1, t.stride[i]
		if n > 0 && stride != step {
			contiguous = false
		}
		if n > 0 && stride > limit/n || last >= limit {
			return -1, false
		}
		last += n * stride
		step *= n + 1
	}
	return last, contiguous
}

// gather copies a strided tensor in row-major order; span has checked it.
func (t *tensorRef) gather(size int) []byte {
	e := t.dtype.Size()
	dst := make([]byte, size)
	index := make([]int64, len(t.shape))
	at := t.offset
	for i := 0; i < size; i += e {
		copy(dst[i:i+e], t.st.data[int(at)*e:])
		for d := len(index) - 1; d >= 0; d-- {
			index[d]++
			at += t.stride[d]
			if index[d] < t.shape[d] {
				break
			}
			at -= index[d] * t.stride[d]
			index[d] = 0
		}
	}
	return dst
}
