#!/bin/busybox sh
# The first process of the tests' guest. It says what it sees on the console, applies cloud-init's user data
# (a script) and network, serves its memory's word on port 80, and obeys the power button.
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/pts /dev/virtio-ports
mkdir -p /sbin
cat >/sbin/shutdown <<'SHUTDOWN'
#!/bin/sh
sync
case $* in *-r*) reboot -f ;; *) poweroff -f ;; esac
SHUTDOWN
chmod +x /sbin/shutdown
for module in /m/*; do insmod "$module" 2>/dev/null; done
echo "GUEST up"
echo "root:x:0:0:root:/root:/bin/sh" >/etc/passwd
mkdir -p /root /tmp/www
# What the agent calls to set a password; who may look sees what it was given.
printf '#!/bin/sh\ncat >/tmp/www/chpasswd\n' >/bin/chpasswd
chmod +x /bin/chpasswd
ln -s /root /tmp/www/root
word() { for one in $(cat /proc/cmdline); do case $one in "$1="*) echo "${one#*=}" ;; esac; done; }

for disk in /sys/block/*; do
  name=${disk##*/}
  case $name in
    vd* | sd* | sr*) echo "GUEST disk $name $(cat "$disk/size") serial=$(cat "$disk/serial" 2>/dev/null)" ;;
  esac
done

seed=
for disk in /dev/vd? /dev/sr?; do
  [ -b "$disk" ] || continue
  label=$(dd if="$disk" bs=8 skip=4101 count=2 2>/dev/null | tr -d ' \0')
  case $label in cidata | CIDATA | config-2) seed=$disk ;; esac
done
if [ -n "$seed" ] && mount -t iso9660 -o ro "$seed" /mnt; then
  files=/mnt
  [ -d /mnt/openstack/latest ] && files=/mnt/openstack/latest
  echo "GUEST seed $(ls $files | tr '\n' ' ')"
  grep -ho '"public[-_]keys":{[^}]*}' $files/meta* | sed 's/^/GUEST keys /'
  for data in $files/user-data $files/user_data; do
    [ -f "$data" ] && head -c 2 "$data" | grep -q '#!' && sh "$data"
  done
fi

for port in /sys/class/virtio-ports/*; do
  [ "$(cat "$port/name" 2>/dev/null)" = org.qemu.guest_agent.0 ] || continue
  (sleep 0; exec qemu-ga -m virtio-serial -p "/dev/${port##*/}" -t /run >/dev/null 2>&1) &
done

if [ -d /sys/firmware/efi ]; then
  insmod /o/efivarfs.ko && mount -t efivarfs none /sys/firmware/efi/efivars
  secure=$(cat /sys/firmware/efi/efivars/SecureBoot-* 2>/dev/null | od -An -tu1 -j4 -N1)
  kept=/sys/firmware/efi/efivars/Kept-12345678-1234-1234-1234-123456789abc
  echo "GUEST efi secure=${secure##* } kept=$([ -f $kept ] && echo yes || echo no)"
  [ -f $kept ] || printf '\007\000\000\000k' >$kept
fi
if [ -c /dev/tpm0 ]; then
  # TPM2_ReadClock: how often it was reset, which a TPM that persists remembers.
  exec 3<>/dev/tpm0
  printf '\200\001\000\000\000\012\000\000\001\201' >&3
  echo "GUEST tpm $(cat /sys/class/tpm/tpm0/tpm_version_major) resets $(dd bs=64 count=1 <&3 2>/dev/null | od -An -tx1 -j26 -N4 | tr -d ' ')"
  exec 3>&-
fi
for share in $(word share | tr , ' '); do
  [ -d /sys/module/virtiofs ] || { insmod /o/fuse.ko && insmod /o/virtiofs.ko; }
  mkdir -p "/share/$share"
  mount -t virtiofs "$share" "/share/$share" && echo "GUEST share $share: $(ls "/share/$share" | tr '\n' ' ')"
done

ip link set lo up
if [ -d /sys/class/net/eth0 ]; then
  ip link set eth0 up
  cat >/bin/lease <<'LEASE'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev eth0
[ -n "$mtu" ] && ip link set eth0 mtu "$mtu"
[ -n "$router" ] && ip route add default via "$router"
for one in $dns; do echo "nameserver $one"; done >/etc/resolv.conf
echo "GUEST address $ip/$mask via $router mtu $mtu dns $dns"
LEASE
  chmod +x /bin/lease
  (udhcpc -i eth0 -f -q -n -t 20 -T 1 -s /bin/lease >/dev/null 2>&1) &
fi
mkdir -p /tmp/www/cgi-bin
hostname >/tmp/www/name
date +%s%N | md5sum | cut -c1-16 >/tmp/www/boot
(httpd -h /tmp/www -p 80) &
(nc -ll -p 7 -e cat) &

case $(word powerdown) in
  ignore) ;;
  *)
    for input in /sys/class/input/event*; do
      [ "$(cat "$input/device/name")" = "Power Button" ] || continue
      (head -c 1 "/dev/input/${input##*/}" >/dev/null && echo "GUEST powers off" && sync && poweroff -f) &
    done
    ;;
esac
case $(word run) in
  poweroff) poweroff -f ;;
  reboot-once) ;;
  judge*) memory-judge & ;;
  count) (i=0; while :; do i=$((i + 1)); echo "GUEST count $i"; sleep 1; done) & ;;
esac
# A writer whose disk tells afterwards whether anything was lost: numbered blocks with their sums.
case $(word run) in *write)
  (
    last=$(dd if=/dev/vda bs=512 count=1000 2>/dev/null | tr -d '\0' | grep -oE '[0-9]{8} ' | sort -n | tail -n 1 | sed 's/^0*//')
    [ -n "$last" ] && echo "GUEST found $last"
    i=$((${last:--1} + 1))
    while :; do
      line=$(printf '%08d' $i)
      sum=$(printf %s "$line" | md5sum | cut -c1-8)
      printf '%s %s' "$line" "$sum" | dd of=/dev/vda bs=512 seek=$((i % 1000)) conv=fsync,notrunc 2>/dev/null &&
        echo "GUEST wrote $i"
      i=$((i + 1))
    done
  ) &
  ;;
esac
echo "GUEST ready"
while :; do setsid cttyhack sh -i </dev/ttyS0 >/dev/ttyS0 2>&1; done
