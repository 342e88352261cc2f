package weights

import "strconv"

// container handles the opcodes for tuples, lists, sets and dictionaries.
func (u *unpickler) container(op uint64) bool {
	switch op {
	case '(':
		if u.pushed++; u.pushed > maxValues {
			u.fail("more than %d values", maxValues)
		}
		u.marks = append(u.marks, len(u.stack))
	case ')':
		u.push(pyTuple{})
	case 't':
		u.push(pyTuple(u.popMark()))
	case 0x85, 0x86, 0x87: // TUPLE1 to TUPLE3
		u.push(u.popN(int(op - 0x84)))
	case ']', 0x8f: // EMPTY_LIST, EMPTY_SET
		u.push(&pyList{})
	case 'l', 0x91: // LIST, FROZENSET
		u.push(&pyList{u.popMark()})
	case 'a':
		u.extend(u.popN(1))
	case 'e', 0x90: // APPENDS, ADDITEMS
		u.extend(u.popMark())
	case '}':
		u.push(&pyDict{})
	case 'd': // DICT
		pairs := u.popMark()
		u.push(&pyDict{})
		u.setItems(pairs)
	case 's':
		u.setItems(u.popN(2))
	case 'u':
		u.setItems(u.popMark())
	default:
		return false
	}
	return true
}

func (u *unpickler) extend(items []any) {
	l, ok := u.top().(*pyList)
	if !ok {
		u.fail("append to something that is not a list")
		return
	}
	l.items = append(l.items, items...)
}

func (u *unpickler) setItems(pairs []any) {
	d, ok := u.top().(*pyDict)
	if !ok || len(pairs)%2 != 0 {
		u.fail("item set in something that is not a dictionary")
		return
	}
	for i := 0; i < len(pairs); i += 2 {
		d.keys = append(d.keys, pairs[i])
		d.vals = append(d.vals, pairs[i+1])
	}
}

// special handles the memo, the framing and the opcodes that would run code in
// Python.
func (u *unpickler) special(op uint64) bool {
	switch op {
	case 0x80: // PROTO
		if v := u.u8(); v > 5 {
			u.fail("protocol %d is not known", v)
		}
	case 0x95: // FRAME: a hint for buffering
		u.u64()
	case '0': // POP, which also takes a mark
		if n := len(u.marks); n > 0 && u.marks[n-1] == len(u.stack) {
			u.marks = u.marks[:n-1]
		} else {
			u.pop()
		}
	case '1':
		u.popMark()
	case '2':
		u.push(u.top())
	case 'p':
		u.store(u.index())
	case 'q':
		u.store(u.u8())
	case 'r':
		u.store(u.u32())
	case 0x94: // MEMOIZE
		u.store(uint64(len(u.memo)))
	case 'g':
		u.load(u.index())
	case 'h':
		u.load(u.u8())
	case 'j':
		u.load(u.u32())
	case 'c', 'i': // GLOBAL, INST
		module, name := u.line(), u.line()
		u.global(module, name)
		if op == 'i' {
			u.fail("instance of %s.%s; refused", module, name)
		}
	case 0x93: // STACK_GLOBAL
		name, ok1 := u.pop().(string)
		module, ok2 := u.pop().(string)
		if !ok1 || !ok2 {
			u.fail("global without a name")
		}
		u.global(module, name)
	case 'R', 0x81: // REDUCE, NEWOBJ
		args, ok := u.pop().(pyTuple)
		callee := u.pop()
		if !ok {
			u.fail("call without arguments")
		}
		u.call(callee, args)
	case 'b': // BUILD
		state := u.pop()
		if o, ok := u.top().(*pyObject); ok {
			o.state = state
		} else if _, ok := u.top().(*pyDict); !ok { // an OrderedDict's _metadata is of no use here
			u.fail("state for something that has none")
		}
	case 'Q': // BINPERSID
		id := u.pop()
		if u.err == nil {
			v, err := u.persist(id)
			if err != nil {
				u.fail("%w", err)
			}
			u.push(v)
		}
	default:
		return false
	}
	return true
}

func (u *unpickler) index() uint64 {
	v, err := strconv.ParseUint(u.line(), 10, 32)
	if err != nil {
		u.fail("bad memo index")
	}
	return v
}

func (u *unpickler) store(i uint64) {
	v := u.top()
	if u.pushed++; u.pushed > maxValues {
		u.fail("more than %d values", maxValues)
	}
	if u.err == nil {
		u.memo[i] = v
	}
}

func (u *unpickler) load(i uint64) {
	v, ok := u.memo[i]
	if !ok {
		u.fail("memo %d is empty", i)
	}
	u.push(v)
}
