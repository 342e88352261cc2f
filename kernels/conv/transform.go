package conv

// inputFunc writes dst[t·plane+i] for each point t and channel i of c: the
// transform Bᵀ d B of the square tile whose pixel (r,s) is src[r·row+s·col].
type inputFunc func(dst []float32, plane int, src []float32, row, col, c int)

// outputFunc writes dst[r·row+s·col+i] for each output (r,s) of a tile and
// channel i of n: Aᵀ m A of the products m[t·plane+i], plus bias[i] and
// res[r·row+s·col+i] where they are not nil, then ReLU if asked. It may
// overwrite m.
type outputFunc func(dst []float32, row, col int, m []float32, plane int, bias, res []float32, n int, relu bool)

// fma rounds twice: the compiler must not decide.
func fma(x, y, z float32) float32 { return float32(x*y) + z }

// bt4 is F4's Bᵀ d, from the even and odd parts of each pair of points.
func bt4(d [6]float32) [6]float32 {
	ea, oa := fma(-f4b2, d[2], d[4]), fma(-f4b2, d[1], d[3])
	eb, ob := fma(-f4a2, d[2], d[4]), fma(-f4a2, d[1], d[3])
	return [6]float32{
		fma(f4a2*f4b2, d[0], fma(-(f4a2+f4b2), d[2], d[4])),
		fma(f4a, oa, ea), fma(-f4a, oa, ea),
		fma(f4b, ob, eb), fma(-f4b, ob, eb),
		fma(f4a2*f4b2, d[1], fma(-(f4a2+f4b2), d[3], d[5])),
	}
}

// at4 is F4's Aᵀ m.
func at4(m [6]float32) [4]float32 {
	sa, da, sb, db := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return [4]float32{
		m[0] + sa + sb,
		fma(f4b, db, float32(f4a*da)),
		fma(f4b2, sb, float32(f4a2*sa)),
		fma(f4b*f4b2, db, fma(f4a*f4a2, da, m[5])),
	}
}

func bt2(d [4]float32) [4]float32 {
	return [4]float32{d[0] - d[2], d[1] + d[2], d[2] - d[1], d[3] - d[1]}
}

func at2(m [4]float32) [2]float32 { return [2]float32{m[0] + m[1] + m[2], m[1] - m[2] + m[3]} }

func inputF4(dst []float32, plane int, src []float32, row, col, c int) {
	for i := range c {
		var half [6][6]float32 // column s of Bᵀ d
		for s := range 6 {
			var d [6]float32
			for r := range 6 {
				d[r] = src[r*row+s*col+i]
			}
			half[s] = bt4(d)
		}
		for u := range 6 {
			v := bt4([6]float32{half[0][u], half[1][u], half[2][u], half[3][u], half[4][u], half[5][u]})
			for s := range 6 {
				dst[(u*6+s)*plane+i] = v[s]
			}
		}
	}
}

func outputF4(dst []float32, row, col int, m []float32, plane int, bias, res []float32, n int, relu bool) {
	for i := range n {
		var half [6][4]float32 // column s of Aᵀ m
		for s := range 6 {
			var v [6]float32
			for u := range 6 {
				v[u] = m[(u*6+s)*plane+i]
			}
			half[s] = at4(v)
		}
		for r := range 4 {
			y := at4([6]float32{half[0][r], half[1][r], half[2][r], half[3][r], half[4][r], half[5][r]})
			for s, v := range y {
				at := r*row + s*col + i
				dst[at] = finish(v, bias, res, i, at, relu)
			}
		}
	}
}

func inputF2(dst []float32, plane int, src []float32, row, col, c int) {
	for i := range c {
		var half [4][4]float32
		for s := range 4 {
			half[s] = bt2([4]float32{src[s*col+i], src[row+s*col+i], src[2*row+s*col+i], src[3*row+s*col+i]})
		}
		for u := range 4 {
			v := bt2([4]float32{half[0][u], half[1][u], half[2][u], half[3][u]})
			for s := range 4 {
				dst[(u*4+s)*plane+i] = v[s]
			}
		}
	}
}

func outputF2(dst []float32, row, col int, m []float32, plane int, bias, res []float32, n int, relu bool) {
	for i := range n {
		var half [4][2]float32
		for s := range 4 {
			half[s] = at2([4]float32{m[s*plane+i], m[(4+s)*plane+i], m[(8+s)*plane+i], m[(12+s)*plane+i]})
		}
		for r := range 2 {
			y := at2([4]float32{half[0][r], half[1][r], half[2][r], half[3][r]})
			for s, v := range y {
				at := r*row + s*col + i
				dst[at] = finish(v, bias, res, i, at, relu)
			}
		}
	}
}

func finish(v float32, bias, res []float32, i, at int, relu bool) float32 {
	if bias != nil {
		v += bias[i]
	}
	if res != nil {
		v += res[at]
	}
	if relu && v < 0 {
		v = 0
	}
	return v
}
