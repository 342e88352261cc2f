package sd

import "context"

// A tile is as large as the pictures that autoencoders are trained on, and
// neighbours share a quarter of it.
// Source: diffusers AutoencoderKL.tiled_decode.
const (
	tileCells   = 64
	tileOverlap = tileCells / 4
)

// DecodeTiles is Decode by overlapping tiles that fade into one another: the
// memory is that of one tile whatever the picture's size. Attention and norms
// see a tile at a time, so colours differ a little from Decode's. Latents of up
// to a tile's size are decoded whole.
func (v *VAE) DecodeTiles(ctx context.Context, dst, z []float32, batch, h, w int) error {
	if h <= tileCells && w <= tileCells {
		return v.Decode(ctx, dst, z, batch, h, w)
	}
	f, c, o := v.Factor(), v.cfg.Latent, v.cfg.Out
	rows, cols := tiles(h), tiles(w)
	th, tw := min(h, tileCells), min(w, tileCells)
	tile, sample := make([]float32, th*tw*c), make([]float32, th*f*tw*f*o)
	total := make([]float32, h*f*w*f)
	for n := range batch {
		from, to := z[n*h*w*c:(n+1)*h*w*c], dst[n*h*f*w*f*o:(n+1)*h*f*w*f*o]
		clear(to)
		clear(total)
		for _, y := range rows {
			for _, x := range cols {
				for r := range th {
					copy(tile[r*tw*c:(r+1)*tw*c], from[((y+r)*w+x)*c:])
				}
				if err := v.Decode(ctx, sample, tile, 1, th, tw); err != nil {
					return err
				}
				for r := range th * f {
					weight := fade(y, th, h, f, r)
					for s := range tw * f {
						a := weight * fade(x, tw, w, f, s)
						at := (y*f+r)*w*f + x*f + s
						total[at] += a
						for k := range o {
							to[at*o+k] += a * sample[(r*tw*f+s)*o+k]
						}
					}
				}
			}
		}
		for i, t := range total {
			for k := range o {
				to[i*o+k] /= t
			}
		}
	}
	return nil
}

// tiles returns where tiles begin along a side of n cells; the last one ends
// with it.
func tiles(n int) []int {
	if n <= tileCells {
		return []int{0}
	}
	var list []int
	for at := 0; at+tileCells < n; at += tileCells - tileOverlap {
		list = append(list, at)
	}
	return append(list, n-tileCells)
}

// fade is the weight of pixel i of a tile of size cells that begins at cell at of
// n: it rises from the sides that have a neighbour.
func fade(at, size, n, f, i int) float32 {
	weight := 1.0
	if at > 0 {
		weight = min(weight, (float64(i)+0.5)/float64(tileOverlap*f))
	}
	if at+size < n {
		weight = min(weight, (float64(size*f-i)-0.5)/float64(tileOverlap*f))
	}
	return float32(weight)
}
