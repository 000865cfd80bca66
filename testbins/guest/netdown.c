/* A network without any interface that is up, as in a fresh network namespace (network_namespaces(7)): `emu --net none`. */
#include "t.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>

static struct ifreq request = {.ifr_name = "lo"};
static int dumped(int type) {
    static char buffer[16384];
    struct { struct nlmsghdr head; struct rtgenmsg family; char fill[15]; } ask = {{sizeof ask, type, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), count = 0;
    send(fd, &ask, sizeof ask, 0);
    for (;;) {
        int n = recv(fd, buffer, sizeof buffer, 0);
        CHECK(n > 0);
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
            if (h->nlmsg_type == NLMSG_DONE) {
                close(fd);
                return count;
            }
            count++;
        }
    }
}
TEST(nothing_is_reached_until_lo_is_brought_up) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(99)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(99)};
    int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp, six, pair[2];
    CHECK_EQ(ioctl(udp, SIOCGIFFLAGS, &request), 0);
    if (request.ifr_flags & IFF_UP) {
        if (unshare(CLONE_NEWNET)) return;
        close(udp);
        udp = socket(AF_INET, SOCK_DGRAM, 0);
    }
    tcp = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK_EQ(ioctl(udp, SIOCGIFFLAGS, &request), 0);
    CHECK_EQ(request.ifr_flags, IFF_LOOPBACK);
    CHECK_ERRNO(ioctl(udp, SIOCGIFADDR, &request), EADDRNOTAVAIL);
    CHECK_ERRNO(sendto(udp, "x", 1, 0, (void *)&v4, sizeof v4), ENETUNREACH);
    CHECK_ERRNO(connect(tcp, (void *)&v4, sizeof v4), ENETUNREACH);
    CHECK_ERRNO(bind(six, (void *)&v6, sizeof v6), EADDRNOTAVAIL);
    CHECK_ERRNO(sendto(six, "x", 1, 0, (void *)&v6, sizeof v6), EADDRNOTAVAIL);
    CHECK_EQ(dumped(RTM_GETLINK), 1);
    CHECK_EQ(dumped(RTM_GETADDR), 0);
    CHECK_EQ(dumped(RTM_GETROUTE), 0);
    struct ifconf list = {0};
    CHECK_EQ(ioctl(udp, SIOCGIFCONF, &list), 0);
    CHECK_EQ(list.ifc_len, 0);
    /* Sockets that need no interface work. */
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(write(pair[0], "x", 1), 1);
    request.ifr_flags = IFF_LOOPBACK | IFF_UP;
    CHECK_EQ(ioctl(udp, SIOCSIFFLAGS, &request), 0);
    CHECK_EQ(ioctl(udp, SIOCGIFFLAGS, &request), 0);
    CHECK(request.ifr_flags & IFF_UP);
    CHECK_EQ(dumped(RTM_GETADDR), 2);
    CHECK_ERRNO(connect(tcp, (void *)&v4, sizeof v4), ECONNREFUSED);
    CHECK_EQ(sendto(udp, "x", 1, 0, (void *)&v4, sizeof v4), 1);
    /* A send that fails gives a port too. */
    CHECK_ERRNO(bind(six, (void *)&v6, sizeof v6), EINVAL);
    six = socket(AF_INET6, SOCK_DGRAM, 0), v6.sin6_port = 0;
    CHECK_EQ(bind(six, (void *)&v6, sizeof v6), 0);
}
