package detr

import "math"

// FeatureMask shrinks a pixel mask to the feature map by nearest neighbour.
// Shapes: mask [H,W], 1 for pixels of the picture and 0 for padding; dst [h,w].
// Source: transformers modeling_detr.py, DetrConvModel.forward.
func FeatureMask(dst []float32, mask []uint8, H, W, h, w int) {
	for y := range h {
		for x := range w {
			dst[y*w+x] = float32(mask[(y*H/h)*W+x*W/w])
		}
	}
}

// Positions fills the sine position embedding of a feature map: the first half
// of the D channels is the row, the second the column, each counted over the
// cells of the picture and scaled to 2π. Shapes: mask [h,w], dst [h,w,D].
// Source: transformers modeling_detr.py, DetrSinePositionEmbedding.
func Positions(dst, mask []float32, h, w, d int) {
	half := d / 2
	rate := make([]float64, half)
	for i := range rate {
		rate[i] = math.Pow(10000, float64(i/2*2)/float64(half))
	}
	rows, cols := make([]float64, h*w), make([]float64, h*w)
	for y := range h {
		for x := range w {
			i := y*w + x
			rows[i], cols[i] = float64(mask[i]), float64(mask[i])
			if y > 0 {
				rows[i] += rows[i-w]
			}
			if x > 0 {
				cols[i] += cols[i-1]
			}
		}
	}
	for y := range h {
		for x := range w {
			i := y*w + x
			wave(dst[i*d:][:half], rows[i]/(rows[(h-1)*w+x]+1e-6)*2*math.Pi, rate)
			wave(dst[i*d+half:][:half], cols[i]/(cols[y*w+w-1]+1e-6)*2*math.Pi, rate)
		}
	}
}

func wave(dst []float32, at float64, rate []float64) {
	for i, r := range rate {
		if i%2 == 0 {
			dst[i] = float32(math.Sin(at / r))
		} else {
			dst[i] = float32(math.Cos(at / r))
		}
	}
}
