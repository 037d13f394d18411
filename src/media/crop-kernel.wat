;; The inner loop of `Cropper` (crop.ts): WebAssembly with SIMD, made into crop-kernel-bytes.ts by `npm run kernels`.
(module
  (memory (export "memory") 1)

  (global $image (mut i32) (i32.const 0))    ;; address of the image's first byte
  (global $channels (mut i32) (i32.const 0))
  (global $stride (mut i32) (i32.const 0))   ;; bytes of a row
  (global $lastX (mut i32) (i32.const 0))
  (global $lastY (mut i32) (i32.const 0))
  (global $isZero (mut i32) (i32.const 0))   ;; what is outside the image: 1 black, 0 its edge

  ;; The image that `crop` samples; three bytes after its last are read too.
  (func (export "setImage")
    (param $image i32) (param $width i32) (param $height i32) (param $channels i32) (param $isZero i32)
    (global.set $image (local.get $image))
    (global.set $channels (local.get $channels))
    (global.set $stride (i32.mul (local.get $width) (local.get $channels)))
    (global.set $lastX (i32.sub (local.get $width) (i32.const 1)))
    (global.set $lastY (i32.sub (local.get $height) (i32.const 1)))
    (global.set $isZero (local.get $isZero)))

  ;; Fills [$height, $width, 3] at $out with 32-bit words: of each colour the word of $levels (256 of them).
  ;; $columns has two doubles for each column, x and y in 1/32 pixels; those of $rows are added. All addresses are multiples of 16.
  (func (export "crop")
    (param $columns i32) (param $width i32) (param $rows i32) (param $height i32) (param $levels i32) (param $out i32)
    (local $column i32) (local $columnsEnd i32) (local $rowsEnd i32)
    (local $row v128) (local $position v128)
    (local $fineX i32) (local $fineY i32) (local $x i32) (local $y i32) (local $at i32)
    (local $upper v128) (local $lower v128) (local $colours v128)
    (local $image i32) (local $channels i32) (local $stride i32) (local $innerX i32) (local $lastX i32) (local $lastY i32)
    (local $x0 i32) (local $x1 i32) (local $y0 i32) (local $y1 i32)
    (local.set $image (global.get $image))
    (local.set $channels (global.get $channels))
    (local.set $stride (global.get $stride))
    ;; Grey images have no inside: all of their pixels are taken one by one.
    (local.set $innerX (select (global.get $lastX) (i32.const 0) (i32.gt_u (local.get $channels) (i32.const 2))))
    (local.set $lastX (global.get $lastX))
    (local.set $lastY (global.get $lastY))
    (local.set $columnsEnd (i32.add (local.get $columns) (i32.shl (local.get $width) (i32.const 4))))
    (local.set $rowsEnd (i32.add (local.get $rows) (i32.shl (local.get $height) (i32.const 4))))
    (loop $nextRow
      (local.set $row (v128.load (local.get $rows)))
      (local.set $column (local.get $columns))
      (loop $nextColumn
        ;; Adding 1.5 × 2^52 rounds a double to a whole number, halves to even, and leaves it in the lower 32 bits.
        (local.set $position
          (f64x2.add
            (f64x2.add (v128.load (local.get $column)) (local.get $row))
            (v128.const f64x2 6755399441055744 6755399441055744)))
        (local.set $fineX (i32x4.extract_lane 0 (local.get $position)))
        (local.set $fineY (i32x4.extract_lane 2 (local.get $position)))
        (local.set $x (i32.shr_s (local.get $fineX) (i32.const 5)))
        (local.set $y (i32.shr_s (local.get $fineY) (i32.const 5)))
        (if
          (i32.and
            (i32.lt_u (local.get $x) (local.get $innerX))
            (i32.lt_u (local.get $y) (local.get $lastY)))
          (then
            (local.set $at
              (i32.add (local.get $image)
                (i32.add
                  (i32.mul (local.get $y) (local.get $stride))
                  (i32.mul (local.get $x) (local.get $channels)))))
            (if (i32.eq (local.get $channels) (i32.const 3))
              (then
                (local.set $upper (v128.load8x8_u (local.get $at)))
                (local.set $lower (v128.load8x8_u (i32.add (local.get $at) (local.get $stride)))))
              (else
                ;; Without the alpha of the left pixel.
                (local.set $upper (v128.load8x8_u (local.get $at)))
                (local.set $upper
                  (i8x16.shuffle 0 1 2 3 4 5 8 9 10 11 12 13 12 13 12 13 (local.get $upper) (local.get $upper)))
                (local.set $lower (v128.load8x8_u (i32.add (local.get $at) (local.get $stride))))
                (local.set $lower
                  (i8x16.shuffle 0 1 2 3 4 5 8 9 10 11 12 13 12 13 12 13 (local.get $lower) (local.get $lower))))))
          (else
            ;; The columns and rows around, those outside moved to the edge.
            (local.set $x0 (select (local.get $x) (i32.const 0) (i32.gt_s (local.get $x) (i32.const 0))))
            (local.set $x0 (select (local.get $x0) (local.get $lastX) (i32.lt_s (local.get $x0) (local.get $lastX))))
            (local.set $x1 (i32.add (local.get $x) (i32.const 1)))
            (local.set $x1 (select (local.get $x1) (i32.const 0) (i32.gt_s (local.get $x1) (i32.const 0))))
            (local.set $x1 (select (local.get $x1) (local.get $lastX) (i32.lt_s (local.get $x1) (local.get $lastX))))
            (local.set $y0 (select (local.get $y) (i32.const 0) (i32.gt_s (local.get $y) (i32.const 0))))
            (local.set $y0 (select (local.get $y0) (local.get $lastY) (i32.lt_s (local.get $y0) (local.get $lastY))))
            (local.set $y1 (i32.add (local.get $y) (i32.const 1)))
            (local.set $y1 (select (local.get $y1) (i32.const 0) (i32.gt_s (local.get $y1) (i32.const 0))))
            (local.set $y1 (select (local.get $y1) (local.get $lastY) (i32.lt_s (local.get $y1) (local.get $lastY))))
            (local.set $x0 (i32.mul (local.get $x0) (local.get $channels)))
            (local.set $x1 (i32.mul (local.get $x1) (local.get $channels)))
            (local.set $y0 (i32.add (local.get $image) (i32.mul (local.get $y0) (local.get $stride))))
            (local.set $y1 (i32.add (local.get $image) (i32.mul (local.get $y1) (local.get $stride))))
            (if (i32.gt_u (local.get $channels) (i32.const 2))
              (then
                (local.set $colours
                  (i64x2.splat
                    (i64.or
                      (i64.and (i64.load32_u (i32.add (local.get $y0) (local.get $x0))) (i64.const 0xffffff))
                      (i64.shl (i64.load32_u (i32.add (local.get $y0) (local.get $x1))) (i64.const 24)))))
                (local.set $colours
                  (i64x2.replace_lane 1 (local.get $colours)
                    (i64.or
                      (i64.and (i64.load32_u (i32.add (local.get $y1) (local.get $x0))) (i64.const 0xffffff))
                      (i64.shl (i64.load32_u (i32.add (local.get $y1) (local.get $x1))) (i64.const 24))))))
              (else
                ;; Of one or two channels the first is grey.
                (local.set $colours
                  (i64x2.splat
                    (i64.or
                      (i64.mul (i64.load8_u (i32.add (local.get $y0) (local.get $x0))) (i64.const 0x010101))
                      (i64.mul (i64.load8_u (i32.add (local.get $y0) (local.get $x1))) (i64.const 0x010101000000)))))
                (local.set $colours
                  (i64x2.replace_lane 1 (local.get $colours)
                    (i64.or
                      (i64.mul (i64.load8_u (i32.add (local.get $y1) (local.get $x0))) (i64.const 0x010101))
                      (i64.mul (i64.load8_u (i32.add (local.get $y1) (local.get $x1))) (i64.const 0x010101000000)))))))
            (if (global.get $isZero)
              (then
                (local.set $colours
                  (v128.and (local.get $colours)
                    (i64x2.splat
                      (i64.or
                        (select (i64.const 0) (i64.const 0xffffff) (i32.gt_u (local.get $x) (local.get $lastX)))
                        (select (i64.const 0) (i64.const 0xffffff000000)
                          (i32.gt_u (i32.add (local.get $x) (i32.const 1)) (local.get $lastX)))))))
                (if (i32.gt_u (local.get $y) (local.get $lastY))
                  (then (local.set $colours (i64x2.replace_lane 0 (local.get $colours) (i64.const 0)))))
                (if (i32.gt_u (i32.add (local.get $y) (i32.const 1)) (local.get $lastY))
                  (then (local.set $colours (i64x2.replace_lane 1 (local.get $colours) (i64.const 0)))))))
            (local.set $upper (i16x8.extend_low_i8x16_u (local.get $colours)))
            (local.set $lower (i16x8.extend_high_i8x16_u (local.get $colours)))))
        ;; Down first, in 1/32, then across, in 1/1024: left and right of each colour side by side, times their weights.
        (local.set $colours
          (i16x8.add
            (i16x8.shl (local.get $upper) (i32.const 5))
            (i16x8.mul
              (i16x8.sub (local.get $lower) (local.get $upper))
              (i16x8.splat (i32.and (local.get $fineY) (i32.const 31))))))
        (local.set $colours
          (i8x16.shuffle 0 1 6 7 2 3 8 9 4 5 10 11 0 1 6 7 (local.get $colours) (local.get $colours)))
        (local.set $x (i32.and (local.get $fineX) (i32.const 31)))
        (local.set $colours
          (i32x4.dot_i16x8_s
            (local.get $colours)
            (i32x4.splat
              (i32.or (i32.shl (local.get $x) (i32.const 16)) (i32.sub (i32.const 32) (local.get $x))))))
        ;; Halves up; times four, as offsets into $levels.
        (local.set $colours
          (i32x4.shl
            (i32x4.shr_u (i32x4.add (local.get $colours) (v128.const i32x4 512 512 512 512)) (i32.const 10))
            (i32.const 2)))
        (i32.store (local.get $out)
          (i32.load (i32.add (local.get $levels) (i32x4.extract_lane 0 (local.get $colours)))))
        (i32.store offset=4 (local.get $out)
          (i32.load (i32.add (local.get $levels) (i32x4.extract_lane 1 (local.get $colours)))))
        (i32.store offset=8 (local.get $out)
          (i32.load (i32.add (local.get $levels) (i32x4.extract_lane 2 (local.get $colours)))))
        (local.set $out (i32.add (local.get $out) (i32.const 12)))
        (local.set $column (i32.add (local.get $column) (i32.const 16)))
        (br_if $nextColumn (i32.lt_u (local.get $column) (local.get $columnsEnd))))
      (local.set $rows (i32.add (local.get $rows) (i32.const 16)))
      (br_if $nextRow (i32.lt_u (local.get $rows) (local.get $rowsEnd))))))
